//! The doors themselves, with bytes at any place: what a call that was cut leaves, what is refused, and who else runs meanwhile.
