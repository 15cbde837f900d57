"""`make bench`: what a rotation costs, as ratios to what one would write instead (docs/performance.md)."""
