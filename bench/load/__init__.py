"""The load generator in C, and the trivial echo server that shows its ceiling."""
