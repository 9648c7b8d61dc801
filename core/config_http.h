/*
 * config_http.h - the section "http": where the relay can be looked at
 * SPDX-License-Identifier: MIT
 */
#ifndef CORE_CONFIG_HTTP_H
#define CORE_CONFIG_HTTP_H

#include "checker.h"

/* Fills the http_ fields of *config; notes mistakes. */
void config_http_resolve(struct checker *checker, const json_t *document, struct config *config);

#endif
