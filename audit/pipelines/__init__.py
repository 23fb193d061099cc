"""An audit runs in one way (`auditing`) on the evidence of a pipeline: of a classifier, a language model, predictions.

Of audit, imports all but the API, the self-check and the command line, which alone import it. `listener` may be
imported from results and mitigation.
"""
