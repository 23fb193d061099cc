"""Attribution methods, the outputs they explain, and measures of agreement between maps.

Imports no other part of drift; observables and sections import it.
"""
