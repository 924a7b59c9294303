"""The schema: what a scenario file may say. Pydantic models, units read at the edge.

Every mapping refuses keys it does not know. A mapping that names a kind by its one key, such as
`work: {lognormal: …}` or `- breaker: {…}`, is a `Choice`.
"""
