"""A module that ends the program when it is imported."""

raise SystemExit("a module of tests")
