"""What is done with results: written, read, judged, compared, exported, tracked.

Imports reports, config and storage, never torch; the command line and the API import it.
"""
