"""Whether all files of a poster are as they were written."""

from pipelines.posters.poster_files import STATISTICS, TILES, called, damage
from pipelines.posters.poster_records import RECORDS
from pipelines.posters.poster_store import PosterStore
from pipelines.storage.checked_folder import MISSING
from pipelines.storage.door import join, names_below, names_in


def require_whole(store: PosterStore) -> None:
    """Check every file of a finished poster.

    Raises:
        ValueError: if any is damaged or not there; it names the first one.
    """
    files = {*store.files(store.layers), *_records_and_statistics(store)}
    faults = _faults(store, files)
    for file, fault in faults.items():
        raise damage(store.url, file, fault, len(faults) - 1)
    store.known_sound.update(files)


def drop_damaged(store: PosterStore) -> list[str]:
    """Delete what is damaged of a poster, finished or not, so that it is made anew; returns what that was, in words."""
    existing = {f"{TILES}/{name}" for name in names_below(join(store.url, TILES))}
    files = {*store.files(store.possible_layers)} & existing | _records_and_statistics(store)
    faults = _faults(store, files)
    for file, fault in faults.items():
        if fault != MISSING or file in RECORDS:  # of a missing tile another process may be about to write the file
            store.folder.drop(file)
    return [f"{called(file)}: {fault}" for file, fault in faults.items()]


def _faults(store: PosterStore, files: set[str]) -> dict[str, str]:
    """What is wrong with these files, and with all others whose digest is recorded."""
    recorded = store.folder.all_recorded()
    return store.folder.faults(sorted(files | recorded.keys()), recorded)


def _records_and_statistics(store: PosterStore) -> set[str]:
    """Those that are there. Those that should be there have a digest."""
    statistics = names_below(join(store.url, STATISTICS))
    records = names_in(store.url) & set(RECORDS)
    return records | {f"{STATISTICS}/{name}" for name in statistics if name.endswith(".safetensors")}
