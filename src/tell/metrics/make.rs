//! Makes metrics and registers them: the names and helps are the caller's.

use super::MetricsError;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, core::Collector,
};

/// Where metrics are registered.
pub(super) struct Make<'a>(pub(super) &'a Registry);

impl Make<'_> {
    fn register<C: Collector + Clone + 'static>(
        &self,
        name: &str,
        made: prometheus::Result<C>,
    ) -> Result<C, MetricsError> {
        let refuse = |source| MetricsError::Make { name: name.to_owned(), source };
        let metric = made.map_err(refuse)?;
        self.0.register(Box::new(metric.clone())).map_err(refuse)?;
        Ok(metric)
    }

    pub(super) fn counter(&self, name: &str, help: &str) -> Result<IntCounter, MetricsError> {
        self.register(name, IntCounter::new(name, help))
    }

    pub(super) fn counters(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntCounterVec, MetricsError> {
        self.register(name, IntCounterVec::new(Opts::new(name, help), labels))
    }

    pub(super) fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, MetricsError> {
        self.register(name, IntGauge::new(name, help))
    }

    pub(super) fn gauges(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntGaugeVec, MetricsError> {
        self.register(name, IntGaugeVec::new(Opts::new(name, help), labels))
    }

    /// A gauge that is no whole number.
    pub(super) fn real(&self, name: &str, help: &str) -> Result<Gauge, MetricsError> {
        self.register(name, Gauge::new(name, help))
    }

    /// Gauges that are no whole numbers.
    pub(super) fn reals(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<GaugeVec, MetricsError> {
        self.register(name, GaugeVec::new(Opts::new(name, help), labels))
    }

    pub(super) fn histogram(
        &self,
        name: &str,
        help: &str,
        buckets: &[f64],
    ) -> Result<Histogram, MetricsError> {
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.register(name, Histogram::with_opts(options))
    }

    pub(super) fn histograms(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> Result<HistogramVec, MetricsError> {
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.register(name, HistogramVec::new(options, labels))
    }

    /// What `/proc` says of this process.
    #[cfg(target_os = "linux")]
    pub(super) fn process(&self) -> Result<(), MetricsError> {
        let collector = prometheus::process_collector::ProcessCollector::for_self();
        let refuse = |source| MetricsError::Make { name: "process_…".to_owned(), source };
        self.0.register(Box::new(collector)).map_err(refuse)
    }

    /// There is no `/proc` here.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn process(&self) -> Result<(), MetricsError> {
        Ok(())
    }
}
