"""bleak's scanner on a bumble device."""

from __future__ import annotations

from typing import Any

from bleak.backends.scanner import AdvertisementData, AdvertisementDataCallback, BaseBleakScanner
from bumble import core
from bumble.core import AdvertisingData
from bumble.device import Advertisement, Device

from edge_agent.demo.bumble_adapter import Adapter, uuid_str

_SERVICE_UUID_BYTES = {  # Core Specification Supplement 11, Part A, 1.1: lists of service UUIDs
    AdvertisingData.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS: 2,
    AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS: 2,
    AdvertisingData.INCOMPLETE_LIST_OF_32_BIT_SERVICE_CLASS_UUIDS: 4,
    AdvertisingData.COMPLETE_LIST_OF_32_BIT_SERVICE_CLASS_UUIDS: 4,
    AdvertisingData.INCOMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS: 16,
    AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS: 16,
}
_SERVICE_DATA_UUID_BYTES = {  # likewise, 1.11: the UUID stands before the data
    AdvertisingData.SERVICE_DATA_16_BIT_UUID: 2,
    AdvertisingData.SERVICE_DATA_32_BIT_UUID: 4,
    AdvertisingData.SERVICE_DATA_128_BIT_UUID: 16,
}


class BumbleScanner(BaseBleakScanner):
    """Scanner; merges advertisement and scan response as BlueZ does."""

    def __init__(
        self,
        adapter: Adapter,
        detection_callback: AdvertisementDataCallback | None,
        service_uuids: list[str] | None,
        scanning_mode: str,
        **_other_backends: Any,  # noqa: ANN401 - bleak passes what other platforms need
    ) -> None:
        super().__init__(detection_callback, service_uuids)
        self._adapter = adapter
        self._active = scanning_mode == "active"

    async def start(self) -> None:
        """Start scanning."""
        self.seen_devices = {}
        self._adapter.device.on(Device.EVENT_ADVERTISEMENT, self._on_advertisement)
        await self._adapter.start_scanning(active=self._active)

    async def stop(self) -> None:
        """Stop scanning; the controller goes on while another scanner needs it."""
        self._adapter.device.remove_listener(Device.EVENT_ADVERTISEMENT, self._on_advertisement)
        await self._adapter.stop_scanning()

    def _on_advertisement(self, advertisement: Advertisement) -> None:
        data = _advertisement_data(advertisement)
        identity = self._adapter.identity(advertisement.address)
        address = identity.to_string(with_type_qualifier=False)
        if address in self.seen_devices:
            earlier = self.seen_devices[address][1]
            data = data._replace(
                local_name=data.local_name or earlier.local_name,
                manufacturer_data=earlier.manufacturer_data | data.manufacturer_data,
                service_data=earlier.service_data | data.service_data,
                service_uuids=sorted({*earlier.service_uuids, *data.service_uuids}),
            )
        if self.is_allowed_uuid(data.service_uuids):
            found = self.create_or_update_device(
                address,
                address,
                data.local_name,
                # What BlueZ's backend tells of a device, and the address that it answers to now.
                {
                    "props": {"AddressType": "public" if identity.is_public else "random"},
                    "address": advertisement.address,
                },
                data,
            )
            found.details["address"] = advertisement.address
            self.call_detection_callbacks(found, data)


def _advertisement_data(advertisement: Advertisement) -> AdvertisementData:
    """What bleak tells of an advertisement; a structure shorter than its own layout is left out."""
    local_name: str | None = None
    tx_power_dbm: int | None = None
    service_uuids: list[str] = []
    manufacturer_data: dict[int, bytes] = {}
    service_data: dict[str, bytes] = {}
    for kind, raw in advertisement.data.ad_structures:
        if kind in (AdvertisingData.COMPLETE_LOCAL_NAME, AdvertisingData.SHORTENED_LOCAL_NAME):
            local_name = raw.decode("utf-8", "replace")
        elif kind == AdvertisingData.TX_POWER_LEVEL and raw:
            tx_power_dbm = int.from_bytes(raw[:1], signed=True)
        elif kind == AdvertisingData.MANUFACTURER_SPECIFIC_DATA and len(raw) >= 2:  # noqa: PLR2004 - company identifier
            manufacturer_data[int.from_bytes(raw[:2], "little")] = raw[2:]
        elif size := _SERVICE_UUID_BYTES.get(kind):
            whole = len(raw) - len(raw) % size
            service_uuids += [uuid_str(core.UUID.from_bytes(raw[i : i + size])) for i in range(0, whole, size)]
        elif (size := _SERVICE_DATA_UUID_BYTES.get(kind)) and len(raw) >= size:
            service_data[uuid_str(core.UUID.from_bytes(raw[:size]))] = raw[size:]
    return AdvertisementData(
        local_name,
        manufacturer_data,
        service_data,
        service_uuids,
        tx_power_dbm,
        advertisement.rssi,
        (advertisement,),
    )
