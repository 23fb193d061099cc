"""The ways an audit runs, a file each: of a classifier, of a language model, of predictions. Here all parts meet.

Of audit, imports all but the API, the self-check and the command line, which alone import it. `listener` may be
imported from results and mitigation.
"""
