"""Operations on results: writing, reading, judging, comparing, exporting, tracking.

Imports reports, config and storage, never torch; the command line and the API import it.
"""
