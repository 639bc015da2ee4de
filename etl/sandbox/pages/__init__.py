"""What a person sees of the sandbox in a browser: counts as pictures, a search, the timeline of a contact, the requests.

HTML from the server, every text escaped by the templates, nothing run and nothing loaded from elsewhere. `site` has the
paths, `look` asks the store, `shown` and `plain` turn what it holds into what stands on a page, `charts` measures pictures.
"""

from etl.sandbox.pages.site import routes

__all__ = ["routes"]
