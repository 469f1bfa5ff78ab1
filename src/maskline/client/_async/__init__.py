"""The client for asyncio, and the source of the other one: `tools/make-client` makes `maskline.client._sync` of it."""
