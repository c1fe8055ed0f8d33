import hashlib
import threading

import numpy as np
import pytest

from pipelines.batches import DealInTurn, batch_dataset, keep_order, read_batches
from pipelines.config import CropConfig, SourceConfig
from pipelines.crops import crop, draw_batch, pool_of
from pipelines.sources import survey
from tests.conftest import textured

SMALL = {"patch_px": 32, "num_templates": 3, "batch_size": 2}


@pytest.fixture(scope="module")
def sources(ray_here, pictures):
    keep_order()
    return tuple(
        survey(SourceConfig(urls=(str(pictures / name),)), min_side_px=32, name=name) for name in ("content", "style")
    )


def digests(dataset) -> list[tuple[int, str]]:
    return [
        (int(number), hashlib.sha256(b"".join(field.numpy().tobytes() for field in batch)).hexdigest())
        for number, batch in read_batches(dataset.iterator())
    ]


def test_crops_do_not_depend_on_the_number_of_workers(sources):
    one, three = (
        digests(batch_dataset(*sources, CropConfig(**SMALL, data_workers=n), first=0, count=150)) for n in (1, 3)
    )
    assert one == three
    assert [number for number, _ in one] == list(range(150))
    assert len({digest for _, digest in one}) == 150


def test_a_stream_can_begin_anywhere(sources):
    config = CropConfig(**SMALL)
    whole = digests(batch_dataset(*sources, config, first=0, count=20))
    assert digests(batch_dataset(*sources, config, first=13, count=7)) == whole[13:]
    assert digests(batch_dataset(*sources, config, first=20, count=0)) == []


def test_another_seed_gives_other_crops(sources):
    one, other = (digests(batch_dataset(*sources, CropConfig(**SMALL, seed=seed), first=0, count=3)) for seed in (0, 1))
    assert not {digest for _, digest in one} & {digest for _, digest in other}


def test_training_workers_get_every_nth_batch(sources):
    dataset = batch_dataset(*sources, CropConfig(**SMALL), first=6, count=14)
    shards = [shard["train"] for shard in DealInTurn().configure({"train": dataset}, 2)]

    seen = {}

    def consume(rank):
        seen[rank] = [int(number) for number, _ in read_batches(shards[rank])]

    threads = [threading.Thread(target=consume, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {0: [6, 8, 10, 12, 14, 16, 18], 1: [7, 9, 11, 13, 15, 17, 19]}


def test_shapes_and_places_of_crops():
    rng = np.random.default_rng(0)
    pictures = [textured(rng, 40, 60), textured(rng, 32, 33)]
    batch = draw_batch((1, lambda i: pictures[i]), (2, lambda i: pictures[i]), 5, CropConfig(**SMALL))
    assert {name: array.shape for name, array in batch.items()} == {
        "content": (2, 3, 32, 32),
        "templates": (2, 3, 3, 32, 32),
        "style": (2, 3, 32, 32),
    }
    windows = np.lib.stride_tricks.sliding_window_view(pictures[0], (32, 32), axis=(0, 1)).reshape(-1, 3, 32, 32)
    assert all((windows == patch).all((1, 2, 3)).any() for patch in batch["content"])


def test_a_crop_can_be_the_whole_picture():
    picture = textured(np.random.default_rng(0), 32, 32)
    assert np.array_equal(crop(picture, 32, np.random.default_rng(0), mirror=False), picture.transpose(2, 0, 1))


def test_many_pictures_take_turns():
    config = CropConfig(**SMALL, pool_pictures=4, batches_per_pool=10)
    assert pool_of(3, 99, config) == [0, 1, 2]
    pools = [pool_of(50, number, config) for number in (0, 9, 10, 25)]
    assert pools[0] == pools[1] != pools[2]
    assert all(len(set(pool)) == 4 for pool in pools)
    assert len({i for number in range(0, 2000, 10) for i in pool_of(50, number, config)}) == 50
