"""Door two: a HubSpot of our own, over HTTP and a SQLite store: routes, store, faults, pages.

The default target, the place to rehearse, and the ground truth of the tests. It shares nothing with the client, so that
it cannot share the client's mistakes; it answers as the real API is known to answer, not as a client would like.
`app` lists what can be called; `exchange` takes every request through the same steps; `serve` runs it.
"""
