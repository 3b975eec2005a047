"""Look-alikes of the providers over real HTTP, for the demo and the tests. Never deployed."""
