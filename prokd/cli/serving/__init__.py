"""A tagger behind HTTP: JSON in and out, requests tagged in batches, a page to try it.

Importing the package loads no web server; `prokd.cli.serve_command` asks for it when it is called.
"""
