from __future__ import annotations

from probes.errors import EvidenceError, did_you_mean


def test_errors_are_one_line_and_travel() -> None:
    import pickle

    error = EvidenceError("a\nb", where="there", do="Do this.")
    assert str(error) == "there: a b. Do this."
    back = pickle.loads(pickle.dumps(error))
    assert (type(back), str(back), back.exit_code) == (EvidenceError, str(error), 2)
    assert did_you_mean("membershp", ["membership", "drift"]) == "Did you mean 'membership'?"
    assert did_you_mean("zzz", ["b", "a"]) == "Known: a, b."
