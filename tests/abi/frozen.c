/*
 * frozen.c - the layout that drivers already built rely on
 * SPDX-License-Identifier: MIT
 *
 * A line here may be added, never changed: whatever makes one of these fail breaks every driver
 * that is built already, and asks for a new major version of the interface. A table that grew at
 * its end gets a new size here.
 */
#include <outbox/plugin.h>

#define SIZE(type, bytes) _Static_assert(sizeof(struct type) == (bytes), #type " changed its size")
#define AT(type, field, bytes)                                                                     \
    _Static_assert(offsetof(struct type, field) == (bytes), #type "." #field " moved")
#define IS(name, value) _Static_assert((name) == (value), #name " changed its value")

_Static_assert(sizeof(void *) == 8, "the layout is that of 64-bit machines");

IS(OUTBOX_ABI_MAJOR, 1);
IS(OUTBOX_ABI_MINOR, 5);

/* ---- types.h ------------------------------------------------------------------------------ */

SIZE(outbox_slice, 16);
AT(outbox_slice, data, 0);
AT(outbox_slice, len, 8);

IS(OUTBOX_OK, 0);
IS(OUTBOX_UNAVAILABLE, 1);
IS(OUTBOX_INVALID, 2);
IS(OUTBOX_DENIED, 3);
IS(OUTBOX_SCHEMA, 4);
IS(OUTBOX_UNSUPPORTED, 5);
IS(OUTBOX_INTERRUPTED, 6);
IS(OUTBOX_TIMEOUT, 7);
IS(OUTBOX_INTERNAL, 8);

SIZE(outbox_error, 512);
AT(outbox_error, size, 0);
AT(outbox_error, native, 8);
AT(outbox_error, text, 40);

IS(OUTBOX_OPTION_TEXT, 1);
IS(OUTBOX_OPTION_BOOL, 2);
IS(OUTBOX_OPTION_INTEGER, 3);
IS(OUTBOX_OPTION_NUMBER, 4);
IS(OUTBOX_OPTION_DURATION, 5);
IS(OUTBOX_OPTION_SIZE, 6);
IS(OUTBOX_OPTION_CHOICE, 7);
IS(OUTBOX_OPTION_MAP, 8);

IS(OUTBOX_OPTION_REQUIRED, 1);
IS(OUTBOX_OPTION_SECRET, 2);

SIZE(outbox_option, 56);
AT(outbox_option, name, 0);
AT(outbox_option, type, 8);
AT(outbox_option, flags, 12);
AT(outbox_option, default_value, 16);
AT(outbox_option, choices, 24);
AT(outbox_option, minimum, 32);
AT(outbox_option, maximum, 40);
AT(outbox_option, help, 48);

SIZE(outbox_pair, 32);
AT(outbox_pair, name, 0);
AT(outbox_pair, value, 16);

SIZE(outbox_setting, 56);
AT(outbox_setting, name, 0);
AT(outbox_setting, type, 8);
AT(outbox_setting, is_set, 12);
AT(outbox_setting, text, 16);
AT(outbox_setting, integer, 24);
AT(outbox_setting, number, 32);
AT(outbox_setting, pairs, 40);
AT(outbox_setting, pair_count, 48);

SIZE(outbox_settings, 32);
AT(outbox_settings, size, 0);
AT(outbox_settings, values, 8);
AT(outbox_settings, value_size, 16);
AT(outbox_settings, count, 24);

SIZE(outbox_event, 160);
AT(outbox_event, id, 0);
AT(outbox_event, type, 16);
AT(outbox_event, payload, 32);
AT(outbox_event, payload_size, 48);
AT(outbox_event, headers, 56);
AT(outbox_event, partition_key, 72);
AT(outbox_event, ordering_key, 88);
AT(outbox_event, aggregate_type, 104);
AT(outbox_event, aggregate_id, 120);
AT(outbox_event, attempts, 136);
AT(outbox_event, created_at, 144);
AT(outbox_event, available_at, 152);

IS(OUTBOX_LOG_ERROR, 0);
IS(OUTBOX_LOG_WARN, 1);
IS(OUTBOX_LOG_INFO, 2);
IS(OUTBOX_LOG_DEBUG, 3);

SIZE(outbox_host, 56);
AT(outbox_host, size, 0);
AT(outbox_host, abi_major, 8);
AT(outbox_host, abi_minor, 12);
AT(outbox_host, context, 16);
AT(outbox_host, log, 24);
AT(outbox_host, now, 32);
AT(outbox_host, complete, 40);
AT(outbox_host, count, 48);

/* ---- store.h ------------------------------------------------------------------------------ */

IS(OUTBOX_STORE_LEASE, 1);
IS(OUTBOX_STORE_HOLD, 2);
IS(OUTBOX_STORE_STREAM, 4);
IS(OUTBOX_STORE_WAKE, 8);

IS(OUTBOX_MODE_LEASE, 1);
IS(OUTBOX_MODE_HOLD, 2);

SIZE(outbox_store_config, 40);
AT(outbox_store_config, size, 0);
AT(outbox_store_config, mode, 8);
AT(outbox_store_config, delete_delivered, 12);
AT(outbox_store_config, relay_id, 16);
AT(outbox_store_config, settings, 32);

IS(OUTBOX_CLAIM_FROM_START, 1);

SIZE(outbox_claim_request, 48);
AT(outbox_claim_request, size, 0);
AT(outbox_claim_request, max_events, 8);
AT(outbox_claim_request, max_payload, 16);
AT(outbox_claim_request, token, 24);
AT(outbox_claim_request, flags, 40);
AT(outbox_claim_request, reserved, 44);

SIZE(outbox_claim, 32);
AT(outbox_claim, size, 0);
AT(outbox_claim, events, 8);
AT(outbox_claim, event_size, 16);
AT(outbox_claim, count, 24);

IS(OUTBOX_SETTLE_DELIVERED, 1);
IS(OUTBOX_SETTLE_RETRY, 2);
IS(OUTBOX_SETTLE_DEAD, 3);
IS(OUTBOX_SETTLE_RELEASE, 4);

SIZE(outbox_settlement, 40);
AT(outbox_settlement, index, 0);
AT(outbox_settlement, verdict, 8);
AT(outbox_settlement, charge, 12);
AT(outbox_settlement, delay, 16);
AT(outbox_settlement, error, 24);

SIZE(outbox_settle_request, 40);
AT(outbox_settle_request, size, 0);
AT(outbox_settle_request, claim, 8);
AT(outbox_settle_request, settlements, 16);
AT(outbox_settle_request, settlement_size, 24);
AT(outbox_settle_request, count, 32);

SIZE(outbox_settle_result, 24);
AT(outbox_settle_result, size, 0);
AT(outbox_settle_result, settled, 8);
AT(outbox_settle_result, stale, 16);

SIZE(outbox_reap_request, 72);
AT(outbox_reap_request, size, 0);
AT(outbox_reap_request, lease, 8);
AT(outbox_reap_request, foreign_lease, 16);
AT(outbox_reap_request, owner_prefix, 24);
AT(outbox_reap_request, max_attempts, 40);
AT(outbox_reap_request, base_delay, 48);
AT(outbox_reap_request, max_delay, 56);
AT(outbox_reap_request, max_events, 64);

SIZE(outbox_reap_result, 24);
AT(outbox_reap_result, size, 0);
AT(outbox_reap_result, returned, 8);
AT(outbox_reap_result, dead, 16);

SIZE(outbox_new_event, 136);
AT(outbox_new_event, id, 0);
AT(outbox_new_event, type, 16);
AT(outbox_new_event, payload, 32);
AT(outbox_new_event, headers, 48);
AT(outbox_new_event, partition_key, 64);
AT(outbox_new_event, ordering_key, 80);
AT(outbox_new_event, aggregate_type, 96);
AT(outbox_new_event, aggregate_id, 112);
AT(outbox_new_event, available_at, 128);

SIZE(outbox_enqueue_request, 32);
AT(outbox_enqueue_request, size, 0);
AT(outbox_enqueue_request, events, 8);
AT(outbox_enqueue_request, event_size, 16);
AT(outbox_enqueue_request, count, 24);

SIZE(outbox_store_stats, 64);
AT(outbox_store_stats, size, 0);
AT(outbox_store_stats, pending, 8);
AT(outbox_store_stats, scheduled, 16);
AT(outbox_store_stats, delivering, 24);
AT(outbox_store_stats, delivered, 32);
AT(outbox_store_stats, dead, 40);
AT(outbox_store_stats, oldest_age, 48);
AT(outbox_store_stats, estimated, 56);
AT(outbox_store_stats, reserved, 60);

IS(OUTBOX_ESTIMATED_PENDING, 1);
IS(OUTBOX_ESTIMATED_DELIVERED, 2);
IS(OUTBOX_ESTIMATED_DEAD, 4);

IS(OUTBOX_SCHEMA_CHECK, 1);
IS(OUTBOX_SCHEMA_PRINT, 2);
IS(OUTBOX_SCHEMA_APPLY, 3);

SIZE(outbox_prune_request, 48);
AT(outbox_prune_request, size, 0);
AT(outbox_prune_request, delivered_age, 8);
AT(outbox_prune_request, dead_age, 16);
AT(outbox_prune_request, max_events, 24);
AT(outbox_prune_request, position, 32);
AT(outbox_prune_request, only_count, 40);
AT(outbox_prune_request, reserved, 44);

SIZE(outbox_prune_result, 32);
AT(outbox_prune_result, size, 0);
AT(outbox_prune_result, delivered, 8);
AT(outbox_prune_result, dead, 16);
AT(outbox_prune_result, position, 24);

IS(OUTBOX_PERIOD_DAY, 1);
IS(OUTBOX_PERIOD_MONTH, 2);

SIZE(outbox_partition_request, 40);
AT(outbox_partition_request, size, 0);
AT(outbox_partition_request, now, 8);
AT(outbox_partition_request, lookahead, 16);
AT(outbox_partition_request, retention, 24);
AT(outbox_partition_request, period, 32);
AT(outbox_partition_request, only_show, 36);

IS(OUTBOX_PARTITION_CREATED, 1);
IS(OUTBOX_PARTITION_DROPPED, 2);
IS(OUTBOX_PARTITION_KEPT, 3);

SIZE(outbox_partition, 64);
AT(outbox_partition, size, 0);
AT(outbox_partition, action, 8);
AT(outbox_partition, reserved, 12);
AT(outbox_partition, name, 16);
AT(outbox_partition, from, 32);
AT(outbox_partition, until, 40);
AT(outbox_partition, reason, 48);

IS(OUTBOX_HOLDERS_MAX, 64);
IS(OUTBOX_HOLDER_TOKEN_MAX, 120);

SIZE(outbox_holder, 40);
AT(outbox_holder, size, 0);
AT(outbox_holder, token, 8);
AT(outbox_holder, events, 24);
AT(outbox_holder, held_for, 32);

SIZE(outbox_store_ops, 184); /* 1.2: 168, 1.3: 176 */
AT(outbox_store_ops, size, 0);
AT(outbox_store_ops, open, 8);
AT(outbox_store_ops, close, 16);
AT(outbox_store_ops, session_open, 24);
AT(outbox_store_ops, session_close, 32);
AT(outbox_store_ops, interrupt, 40);
AT(outbox_store_ops, ping, 48);
AT(outbox_store_ops, schema, 56);
AT(outbox_store_ops, claim, 64);
AT(outbox_store_ops, settle, 72);
AT(outbox_store_ops, settle_and_claim, 80);
AT(outbox_store_ops, claim_close, 88);
AT(outbox_store_ops, abandon, 96);
AT(outbox_store_ops, renew, 104);
AT(outbox_store_ops, reap, 112);
AT(outbox_store_ops, enqueue, 120);
AT(outbox_store_ops, stats, 128);
AT(outbox_store_ops, wake_arm, 136);
AT(outbox_store_ops, wake_disarm, 144);
AT(outbox_store_ops, prune, 152);
AT(outbox_store_ops, maintain, 160);
AT(outbox_store_ops, partitions, 168);
AT(outbox_store_ops, holders, 176);

/* ---- publisher.h -------------------------------------------------------------------------- */

SIZE(outbox_message, 120); /* 1.0: 72 */
AT(outbox_message, event, 0);
AT(outbox_message, topic, 8);
AT(outbox_message, key, 24);
AT(outbox_message, payload, 40);
AT(outbox_message, headers, 56);
AT(outbox_message, header_count, 64);
AT(outbox_message, content_type, 72);
AT(outbox_message, attributes, 88);
AT(outbox_message, attribute_count, 96);
AT(outbox_message, properties, 104);
AT(outbox_message, property_count, 112);

SIZE(outbox_batch, 40);
AT(outbox_batch, size, 0);
AT(outbox_batch, messages, 8);
AT(outbox_batch, message_size, 16);
AT(outbox_batch, count, 24);
AT(outbox_batch, deadline, 32);

IS(OUTBOX_ACKED, 1);
IS(OUTBOX_RETRY, 2);
IS(OUTBOX_UNKNOWN, 3);
IS(OUTBOX_REJECTED, 4);
IS(OUTBOX_AWAY, 5);

SIZE(outbox_result, 32);
AT(outbox_result, size, 0);
AT(outbox_result, outcome, 8);
AT(outbox_result, reserved, 12);
AT(outbox_result, reason, 16);

SIZE(outbox_publisher_limits, 24);
AT(outbox_publisher_limits, size, 0);
AT(outbox_publisher_limits, max_payload, 8);
AT(outbox_publisher_limits, max_in_flight, 16);

IS(OUTBOX_PUBLISHER_KEEPS_ORDER, 1);
IS(OUTBOX_PUBLISHER_ATTRIBUTES, 2);

SIZE(outbox_publisher_check, 40);
AT(outbox_publisher_check, size, 0);
AT(outbox_publisher_check, destinations, 8);
AT(outbox_publisher_check, destination_size, 16);
AT(outbox_publisher_check, destination_count, 24);
AT(outbox_publisher_check, max_payload, 32);

SIZE(outbox_publisher_ops, 72); /* 1.0: 64 */
AT(outbox_publisher_ops, size, 0);
AT(outbox_publisher_ops, open, 8);
AT(outbox_publisher_ops, close, 16);
AT(outbox_publisher_ops, limits, 24);
AT(outbox_publisher_ops, publish, 32);
AT(outbox_publisher_ops, flush, 40);
AT(outbox_publisher_ops, cancel, 48);
AT(outbox_publisher_ops, ping, 56);
AT(outbox_publisher_ops, check, 64);

/* ---- plugin.h ----------------------------------------------------------------------------- */

IS(OUTBOX_KIND_STORE, 1);
IS(OUTBOX_KIND_PUBLISHER, 2);

SIZE(outbox_plugin, 144); /* 1.0: 96, 1.1: 120 */
AT(outbox_plugin, size, 0);
AT(outbox_plugin, abi_major, 8);
AT(outbox_plugin, abi_minor, 12);
AT(outbox_plugin, kind, 16);
AT(outbox_plugin, reserved, 20);
AT(outbox_plugin, name, 24);
AT(outbox_plugin, version, 32);
AT(outbox_plugin, description, 40);
AT(outbox_plugin, capabilities, 48);
AT(outbox_plugin, options, 56);
AT(outbox_plugin, option_size, 64);
AT(outbox_plugin, option_count, 72);
AT(outbox_plugin, store, 80);
AT(outbox_plugin, publisher, 88);
AT(outbox_plugin, properties, 96);
AT(outbox_plugin, property_size, 104);
AT(outbox_plugin, property_count, 112);
AT(outbox_plugin, messaging_system, 120);
AT(outbox_plugin, topic_attribute, 128);
AT(outbox_plugin, key_attribute, 136);

int main(void)
{
    return strcmp(OUTBOX_PLUGIN_SYMBOL, "outbox_plugin_entry") != 0;
}
