// The load generator's reader of a server's metrics. Input: the page.
#include <cmath>

#include "fuzz/check.h"
#include "loadgen/run/metrics_page.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hellocnn;
  const std::string text = fuzz::AsString(data, size);
  const auto page = load::MetricsPage::Parse(text);
  if (!page.ok()) {
    fuzz::RequireGoodError(page.status(), "");
    return 0;
  }
  // A page that is read can be longer: each sample counts.
  const auto longer =
      load::MetricsPage::Parse(text + "\n" + "fuzz_total{a=\"b\"} 2\nfuzz_total 1 1700000000000\n");
  fuzz::Require(longer.ok(), "a longer page is refused", longer.status().ToString());
  const double before = page->Sum("fuzz_total").value_or(0);
  const double after = longer->Sum("fuzz_total").value_or(-1);
  fuzz::Require(std::isnan(before) || after == before + 2 + 1 || after == before + 1 + 2,
                "samples are lost");
  fuzz::Require(longer->Sum("fuzz_total", {{"a", "b"}}).has_value(), "a label is lost");
  fuzz::Require(!longer->Sum("not a name").has_value(), "a metric that is not there");
  return 0;
}
