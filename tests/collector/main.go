// main.go - an OpenTelemetry Collector for the tests: it receives OTLP over HTTP and writes what it understood
// SPDX-License-Identifier: MIT
//
// The receiver and the pipelines are those of every Collector. The one part of its own is the exporter `lines`, which
// appends each request to a file as a line of OTLP JSON: a Collector that has only what a test needs builds quickly.
package main

import (
	"context"
	"log"
	"os"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"
)

const stability = component.StabilityLevelStable

// Config of the exporter: one file for each signal.
type Config struct {
	Traces  string `mapstructure:"traces"`
	Metrics string `mapstructure:"metrics"`
	Logs    string `mapstructure:"logs"`
}

// lines is a file that grows by a line for each request. A line is written at once and as a whole, so that a reader
// never sees a part of one that ends in a newline.
type lines struct {
	component.StartFunc
	mutex sync.Mutex
	file  *os.File
}

func open(path string) (*lines, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	return &lines{file: file}, err
}

func (l *lines) Shutdown(context.Context) error { return l.file.Close() }

func (l *lines) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (l *lines) write(line []byte, err error) error {
	if err != nil {
		return err
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	_, err = l.file.Write(append(line, '\n'))
	return err
}

func (l *lines) ConsumeTraces(_ context.Context, data ptrace.Traces) error {
	return l.write((&ptrace.JSONMarshaler{}).MarshalTraces(data))
}

func (l *lines) ConsumeMetrics(_ context.Context, data pmetric.Metrics) error {
	return l.write((&pmetric.JSONMarshaler{}).MarshalMetrics(data))
}

func (l *lines) ConsumeLogs(_ context.Context, data plog.Logs) error {
	return l.write((&plog.JSONMarshaler{}).MarshalLogs(data))
}

func linesFactory() exporter.Factory {
	return exporter.NewFactory(
		component.MustNewType("lines"),
		func() component.Config { return &Config{} },
		exporter.WithTraces(func(_ context.Context, _ exporter.Settings, config component.Config) (exporter.Traces, error) {
			return open(config.(*Config).Traces)
		}, stability),
		exporter.WithMetrics(func(_ context.Context, _ exporter.Settings, config component.Config) (exporter.Metrics, error) {
			return open(config.(*Config).Metrics)
		}, stability),
		exporter.WithLogs(func(_ context.Context, _ exporter.Settings, config component.Config) (exporter.Logs, error) {
			return open(config.(*Config).Logs)
		}, stability))
}

func factories() (otelcol.Factories, error) {
	receivers, exporters := otlpreceiver.NewFactory(), linesFactory()
	return otelcol.Factories{
		Receivers: map[component.Type]receiver.Factory{receivers.Type(): receivers},
		Exporters: map[component.Type]exporter.Factory{exporters.Type(): exporters},
		Telemetry: otelconftelemetry.NewFactory(),
	}, nil
}

func main() {
	command := otelcol.NewCommand(otelcol.CollectorSettings{
		BuildInfo: component.BuildInfo{Command: "collector", Description: "Collector of the tests", Version: "1"},
		Factories: factories,
		ConfigProviderSettings: otelcol.ConfigProviderSettings{ResolverSettings: confmap.ResolverSettings{
			ProviderFactories: []confmap.ProviderFactory{fileprovider.NewFactory()},
			DefaultScheme:     "file",
		}},
	})
	if err := command.Execute(); err != nil {
		log.Fatal(err)
	}
}
