"""The main job on real input: both examples, a crash in the middle, every call accounted for."""
