// SPDX-License-Identifier: Apache-2.0
// agent/export/process_metrics.h – process_*: the agent as the kernel sees it.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

namespace mapscope {

// Appends the families; what /proc/self does not say is left out. Threads: any.
void append_process_metrics(std::vector<prometheus::MetricFamily>& families);

}  // namespace mapscope
