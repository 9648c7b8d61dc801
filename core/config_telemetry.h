/*
 * config_telemetry.h - the section `telemetry`, completed from OpenTelemetry's variables
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_CONFIG_TELEMETRY_H
#define CORE_CONFIG_TELEMETRY_H

#include "checker.h"

/* `object` is NULL where the section is not written. Notes the file's mistakes; what is wrong in
 * the environment becomes warnings of the settings. */
void telemetry_check(struct checker *checker, const json_t *object,
                     struct telemetry_settings *settings);

#endif
