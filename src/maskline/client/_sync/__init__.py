# Made by tools/make-client; change the asynchronous one instead.
"""The client that waits, and no source: `tools/make-client` makes `maskline.client._sync` of it."""
