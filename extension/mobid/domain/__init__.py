"""What mobid is about, as plain values. No Flask, no SQL, no clock of its own."""
