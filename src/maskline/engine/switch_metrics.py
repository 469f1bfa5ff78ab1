"""How a switch and its trunks do, for Prometheus. Labels are names that the operator gave."""

from collections.abc import Iterator

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from maskline.engine.switch import Switch
from maskline.engine.trunk_watch import TrunkWatch


class SwitchMetrics(Collector):
    """Reads the switch at the moment it is asked; nothing is counted twice."""

    def __init__(self, switch: Switch, watch: TrunkWatch) -> None:
        self._switch = switch
        self._watch = watch

    def collect(self) -> Iterator[Metric]:
        """Give every gauge its present value."""
        calls = GaugeMetricFamily("maskline_calls", "Calls that are not over.")
        calls.add_metric([], self._switch.live_count)
        yield calls
        channels = GaugeMetricFamily("maskline_trunk_channels", "Channels in use.", labels=["trunk"])
        for trunk in self._switch.trunks.trunks:
            channels.add_metric([trunk.name], self._switch.trunks.channel_count(trunk.id))
        yield channels
        healthy = GaugeMetricFamily(
            "maskline_trunk_target_healthy", "1 while calls are sent there first.", labels=["trunk", "target"]
        )
        for state in self._watch.targets():
            healthy.add_metric([state.trunk, state.target], float(state.is_healthy))
        yield healthy
        registered = GaugeMetricFamily(
            "maskline_trunk_registered", "1 while the carrier knows us.", labels=["trunk", "registrar"]
        )
        for binding in self._watch.registrations():
            registered.add_metric([binding.trunk, binding.registrar], float(binding.is_registered))
        yield registered
