#include "loadgen/core/ledger.h"

#include <utility>

namespace hellocnn::load {

Ledger::Ledger(Nanos warm_up, Nanos interval)
    : warm_up_(warm_up), interval_(interval), page_(std::make_unique<Page>()) {
  page_->interval = IntervalOf(Nanos(0));
}

std::int64_t Ledger::IntervalOf(Nanos at) const {
  const Nanos since = at - warm_up_;
  // Rounds towards minus infinity, so that times before the end of the warm-up are not in interval
  // 0.
  return since.count() >= 0 ? since / interval_ : -1 - (-since - Nanos(1)) / interval_;
}

void Ledger::Record(const Sample& sample, bool measured, const Verdict& verdict) {
  Advance(sample.ended);
  (measured ? page_->measured : page_->warm_up).Record(sample, verdict);
}

void Ledger::Advance(Nanos now) {
  const std::int64_t interval = IntervalOf(now);
  if (interval == page_->interval) return;
  HandOver();
  page_->interval = interval;
}

void Ledger::Finish() { HandOver(); }

void Ledger::HandOver() {
  if (page_->empty()) return;
  std::unique_ptr<Page> next;
  {
    MutexLock lock(&mutex_);
    full_.push_back(std::move(page_));
    if (!empty_.empty()) {
      next = std::move(empty_.back());
      empty_.pop_back();
    }
  }
  page_ = next != nullptr ? std::move(next) : std::make_unique<Page>();
}

std::vector<std::unique_ptr<Page>> Ledger::Collect() {
  MutexLock lock(&mutex_);
  return std::exchange(full_, {});
}

void Ledger::Recycle(std::vector<std::unique_ptr<Page>> pages) {
  for (const std::unique_ptr<Page>& page : pages) {
    page->warm_up.Clear();
    page->measured.Clear();
  }
  MutexLock lock(&mutex_);
  for (std::unique_ptr<Page>& page : pages) empty_.push_back(std::move(page));
}

}  // namespace hellocnn::load
