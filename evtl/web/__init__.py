"""The web page: the services of evtl behind forms, pages and a JSON interface."""
