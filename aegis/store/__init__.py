"""The ledger: the append-only record that resume, replay, training and audit all read.

`aegis.store.ledger.Ledger` is the way in; `aegis.store.lock.RunLock` keeps a second process out.
"""
