"""The dashboard: a page that shows what runs, and is itself a client of the relay."""
