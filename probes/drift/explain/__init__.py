"""Attribution methods, the outputs they explain, and measures of agreement between maps.

Imports nothing else of drift; observables and sections import it.
"""
