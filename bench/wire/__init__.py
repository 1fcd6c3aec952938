"""What the transport and the relay bench have in common: peers, loads, bounds, reports."""
