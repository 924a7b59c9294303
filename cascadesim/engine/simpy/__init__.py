"""The readable engine: generators over SimPy's event loop, one file a policy or resource."""
