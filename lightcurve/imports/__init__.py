"""Settings files of other programs, brought over: what each value becomes, none in silence."""

__all__ = ["formats", "rules", "stars"]
