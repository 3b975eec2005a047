"""How long a search of the Recordings page takes in a year of a million conversations, and what memory it needs.

Measured is the function that the server calls, with the listing that sees whether a day has changed. Beside it stands
what one would take instead for "which conversations have this number in a call or a leg, the newest 50, and how many
are there": pandas over the same Parquet files, of the days asked for and with no more columns than it needs; and DuckDB
over `**/*.parquet`, where nothing tells which files have the days. All must find equally many.

The lake is made once, below `.bench/`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd

from bench.search_lake import CUSTOMERS, PEOPLE, customer_number, make_lake
from voxlake.lake.local import LocalStorage
from voxlake.search.find import search
from voxlake.search.index import SearchIndex
from voxlake.search.query import SearchQuery, digits

LAST = date(2026, 11, 24)
MONTH = 30
_NUMBERS = ("from_phone_number", "to_phone_number")
_FAR = 10_000_000


@dataclass(frozen=True)
class Case:
    """A kind of search."""

    title: str
    days: int
    kind: str
    page: int


CASES = (
    Case("a customer's number, 30 days", MONTH, "customer", 1),
    Case("an employee's number, 30 days, first page", MONTH, "employee", 1),
    Case("an employee's number, 30 days, last page", MONTH, "employee", _FAR),
    Case("a customer's number, a year", 0, "customer", 1),
    Case("an employee's number, a year, first page", 0, "employee", 1),
    Case("an employee's number, a year, last page", 0, "employee", _FAR),
    Case("four digits of a number, a year, first page", 0, "digits", 1),
    Case("all of 30 days, first page", MONTH, "all", 1),
    Case("all of a year, first page", 0, "all", 1),
    Case("all of a year, page 10,000", 0, "all", 10_000),
    Case("all of a year, last page", 0, "all", _FAR),
)


def main() -> None:
    """Prints the times, the memory, and the times of others."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=365, help="days of the lake (default 365)")
    parser.add_argument("--conversations", type=int, default=1_000_000, help="in all (default 1000000)")
    parser.add_argument("--searches", type=int, default=100, help="measured of each kind (default 100)")
    options = parser.parse_args()
    folder = Path(f".bench/search-{options.days}-{options.conversations}")
    storage = make_lake(folder, LAST, options.days, options.conversations)
    print(
        f"{options.conversations:,} conversations on {options.days} days; {os.cpu_count()} processors, "
        f"{os.getloadavg()[0]:.1f} programs at work on them in the last minute"
    )
    index = _make_index(storage, folder, options.days)
    print(f"\n{'milliseconds a search':<46} {'p50':>7} {'p95':>7} {'busy':>7}   ({options.searches} searches each)")
    for case in CASES:
        busy = time.process_time()
        times = [_timed(lambda query=query: search(index, query, numbers=True)) for query in _queries(case, options)]
        # What the processors had to do for it, all threads together: where other programs leave them to it.
        mean = (time.process_time() - busy) * 1000 / options.searches
        p50, p95 = _percentile(times, 50), _percentile(times, 95)
        print(f"  {case.title:<44} {p50:7.0f} {p95:7.0f} {mean:7.0f}", flush=True)
    print("\nmemory of a server process (RSS)")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        for line in pool.apply(_memory, (folder, options.days)):
            print(f"  {line}")
    print(f"\nprograms at work in the last minute: {os.getloadavg()[0]:.1f}")
    print(f"{'a customer’s number, beside others':<30} {'30 days':>12} {'a year':>16}")
    _beside_others(index, folder / "lake" / "tables", options.days)


def _make_index(storage: LocalStorage, folder: Path, days: int) -> SearchIndex:
    shutil.rmtree(folder / "index", ignore_errors=True)
    index = SearchIndex(storage, folder / "index")
    month = _timed(lambda: search(index, _query(MONTH), numbers=True)) / 1000
    rest = _timed(lambda: search(index, _query(days), numbers=True)) / 1000
    size = sum(file.stat().st_size for file in (folder / "index").rglob("*.parquet"))
    lake = sum(file.stat().st_size for file in (folder / "lake").rglob("*.parquet"))
    print(
        f"lake {lake / 1e6:.0f} MB; index {size / 1e6:.0f} MB, made by the first search of 30 days in {month:.1f} s, of"
    )
    print(f"a year in {rest:.1f} s more")
    return index


def _queries(case: Case, options: argparse.Namespace) -> list[SearchQuery]:
    chance = random.Random(7)  # noqa: S311 - the same numbers in each run
    numbers = {
        "customer": lambda: customer_number(chance.randrange(CUSTOMERS)),
        "employee": lambda: f"(650) 555-{chance.randrange(PEOPLE):04d}",
        "digits": lambda: f"{chance.randrange(10_000):04d}",
        "all": lambda: "",
    }
    count = options.searches
    return [_query(case.days or options.days, numbers[case.kind](), case.page) for _ in range(count)]


def _query(days: int, number: str = "", page: int = 1) -> SearchQuery:
    return SearchQuery(LAST - timedelta(days=days - 1), LAST, number=number, page=page)


def _memory(folder: Path, days: int) -> list[str]:
    """What a process holds after some searches of all kinds, as the first page of either range is asked for."""
    index = SearchIndex(LocalStorage(folder / "lake"), folder / "index")
    chance = random.Random(8)  # noqa: S311 - the same numbers in each run
    lines = [f"before the first search {_rss():5.0f} MB"]
    for number in range(1, 1001):
        text = ("", customer_number(chance.randrange(CUSTOMERS)), f"555{chance.randrange(PEOPLE):04d}")[number % 3]
        page = (1, _FAR, chance.randrange(1, 20_000))[number % 5 % 3]
        search(index, _query((MONTH, days)[number % 2], text, page), numbers=True)
        if number in (1, 10, 100, 250, 500, 1000):
            lines.append(f"after {number:>5} searches    {_rss():5.0f} MB")
    return lines


def _rss() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _beside_others(index: SearchIndex, tables: Path, days: int) -> None:
    contenders: dict[str, Callable[[int, str], int]] = {
        "voxlake": lambda span, number: search(index, _query(span, number), numbers=True).total,
        "pandas": lambda span, number: _with_pandas(tables, span, number),
        "duckdb over **": lambda span, number: _with_duckdb(tables, span, number),
    }
    numbers = [customer_number(each) for each in (11, 4_711, 77_777, 140_000)]
    medians: dict[tuple[str, int], float] = {}
    found: dict[tuple[str, int, str], int] = {}
    for span in (MONTH, days):
        times: dict[str, list[float]] = {name: [] for name in contenders}
        # In turns, so that what else the machine does meets all of them; the first turn warms up.
        for number in numbers:
            for name, contender in contenders.items():
                began = time.perf_counter()
                found[name, span, number] = contender(span, number)
                times[name].append((time.perf_counter() - began) * 1000)
        medians |= {(name, span): statistics.median(spent[1:]) for name, spent in times.items()}
    for (name, span, number), total in found.items():
        if total != found["voxlake", span, number]:
            raise SystemExit(f"{name} finds {total} with {number} in {span} days, voxlake another number")
    for name in contenders:
        cells = [(medians[name, span], medians[name, span] / medians["voxlake", span]) for span in (MONTH, days)]
        print(f"  {name:<24}" + "".join(f"{median:9.0f} ms {ratio:6.1f} x" for median, ratio in cells))


def _with_pandas(tables: Path, days: int, number: str) -> int:
    """What a notebook does: the days by their partition, digits by a regular expression, the newest 50 by start."""
    since = [("date", ">=", str(LAST - timedelta(days=days - 1)))]
    legs = pd.read_parquet(tables / "legs", columns=["telephony_session_id", *_NUMBERS], filters=since)
    wanted = ["telephony_session_id", "start_time", *_NUMBERS]
    calls = pd.read_parquet(tables / "calls", columns=wanted, filters=since)
    sessions: set[str] = set()
    for rows in (calls, legs):
        for name in _NUMBERS:
            hits = rows[name].str.replace(r"\D", "", regex=True).str.contains(digits(number), regex=False, na=False)
            sessions |= set(rows["telephony_session_id"][hits])
    found = calls[calls["telephony_session_id"].isin(sessions)].groupby("telephony_session_id")["start_time"].min()
    found.sort_values(ascending=False).head(50)
    return len(found)


def _with_duckdb(tables: Path, days: int, number: str) -> int:
    """The same in SQL, over all files."""
    has = " or ".join(rf"contains(regexp_replace({name}, '\D', '', 'g'), $number)" for name in _NUMBERS)
    start = datetime.combine(LAST - timedelta(days=days - 1), datetime.min.time(), UTC).replace(tzinfo=None)
    found = (
        duckdb.connect()
        .execute(
            f"""
        with hits as (
          select telephony_session_id from read_parquet($calls) where {has}
          union select telephony_session_id from read_parquet($legs) where {has}
        )
        select telephony_session_id, min(start_time) as started, count(*) over () as total
        from read_parquet($calls) semi join hits using (telephony_session_id)
        where start_time >= $start::timestamp group by all order by started desc limit 50
        """,  # noqa: S608 - names of ours
            {
                "calls": f"{tables}/calls/**/*.parquet",
                "legs": f"{tables}/legs/**/*.parquet",
                "number": digits(number),
                "start": start,
            },
        )
        .fetchall()
    )
    return found[0][2] if found else 0


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def _percentile(times: Sequence[float], percent: int) -> float:
    return statistics.quantiles(times, n=100, method="inclusive")[percent - 1]


if __name__ == "__main__":
    main()
