"""Two launches of one campaign at the same moment: one works, the other waits or leaves."""

from concurrent.futures import ThreadPoolExecutor


def test_two_launches_at_once_write_to_everybody_once(trial, undisturbed, start_launcher, count):
    with trial() as one, start_launcher() as other, ThreadPoolExecutor(2) as pool:
        for _ in range(2):
            first, second = pool.map(one.launch_with, [one.launcher, other])
            for launched in (first, second):
                assert launched.signal is None
                assert not launched.error or "Start it again when that one is done" in launched.error
        one.launch_until_through()
        one.check(undisturbed.expected)
    count("two launches at once")
