"""Choosing hyper-parameters: `fastnet.search`.

    run          the public function: its checks, and how the parts go together
    grid         combinations, drawn or all, and their seeds;  which argument a name is of
    trial        one combination: its net built, trained and measured
    crews        where trials run and how the data gets there: threads, processes, Dask (dask.py)
    running      trials side by side on a crew;  halving: in rungs, the better ones going on
    finding      what has been found so far;  results: what is returned and told
    journal      finished combinations on disk;  describing: values as text, for it and for seeds

Data flows one way: from run to the streams of outcomes, running and halving, and from these to finding.
"""

from fastnet.searching.grid import LogUniform
from fastnet.searching.results import Search, SearchError, SearchProgress
from fastnet.searching.run import search

__all__ = ["LogUniform", "Search", "SearchError", "SearchProgress", "search"]
