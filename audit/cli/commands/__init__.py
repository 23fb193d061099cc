"""The commands of `audit`, one per file: its options, what is checked before anything heavy is imported, what is
printed.

`audit/cli/app.py` lists them; what several share is in `audit/cli/options.py` and `audit/cli/validate.py`.
"""
