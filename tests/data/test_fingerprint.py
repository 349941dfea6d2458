import numpy as np

from lstm_jax.data.fingerprint import fingerprint


def test_what_differs_in_any_way_has_another_fingerprint():
    zeros = np.zeros(4, np.float32)
    parts = [
        (zeros,),
        (zeros[:3],),
        (zeros.reshape(2, 2),),
        (zeros.astype(np.int32),),
        (zeros[:2], zeros[:2]),
        ("ab",),
        ("a", "b"),
        (np.frombuffer(b"ab", np.uint8),),
        (),
    ]
    prints = [fingerprint(*part) for part in parts]
    assert len(set(prints)) == len(prints) and all(len(one) == 16 for one in prints)


def test_layout_in_memory_does_not_count():
    values = np.arange(6.0).reshape(2, 3)
    assert (
        fingerprint(values)
        == fingerprint(np.asfortranarray(values))
        == fingerprint(np.repeat(values, 2, axis=1)[:, ::2])
    )
