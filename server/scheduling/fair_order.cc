#include "server/scheduling/fair_order.h"

#include <algorithm>
#include <cassert>

namespace hellocnn::server {
namespace {

// The turns of each band, of so many in all.
constexpr std::array kShares = {7, 1};
constexpr int kAllShares = 8;

// Numbers of images, whose products may be large.
std::int64_t TurnsFor(std::int64_t images, int turn) { return (images + turn - 1) / turn; }

}  // namespace

FairOrder::FairOrder(int capacity, int turn, std::pmr::memory_resource* memory)
    : capacity_(capacity), turn_(turn), bands_{Band(memory), Band(memory)}, left_(TurnOf(0)) {
  for (Band& band : bands_) band.left = turn_;
}

int FairOrder::TurnOf(std::size_t band) const { return kShares[band] * turn_; }

int FairOrder::RoomOf(std::size_t band) const {
  const int low = capacity_ / kAllShares;
  return band == static_cast<std::size_t>(Priority::kLow) ? low : capacity_ - low;
}

int FairOrder::Band::ImagesOf(std::uint64_t caller) const {
  const auto found = lines.find(caller);
  return found == lines.end() ? 0 : found->second->images;
}

void FairOrder::Add(Waiting* job) {
  Band& band = bands_[IndexOf(*job)];
  const auto [found, is_new] = band.lines.try_emplace(job->origin.caller);
  if (is_new) {
    std::pmr::list<Waiting*> jobs(band.round.get_allocator().resource());
    found->second = band.round.insert(band.round.end(),
                                      Line{.caller = job->origin.caller, .jobs = std::move(jobs)});
  }
  Line& line = *found->second;
  if (!is_new) Discount(line, &band);
  job->started = false;
  job->place = line.jobs.insert(line.jobs.end(), job);
  line.images += job->queued;
  Count(line, &band);
}

JobOrder::Turn FairOrder::Next() const {
  const bool its_turn = bands_[band_].images > 0;
  const Band& band = bands_[its_turn ? band_ : Other(band_)];
  if (band.images == 0) return {};
  Waiting* const job = band.round.front().jobs.front();
  int images = job->queued;
  if (band.round.size() > 1) images = std::min(images, band.left);
  if (its_turn && bands_[Other(band_)].images > 0) images = std::min(images, left_);
  return {.job = job, .images = images};
}

void FairOrder::Take(Waiting* job, int images) {
  const std::size_t taken_from = IndexOf(*job);
  if (taken_from != band_) {  // nothing was queued of the band that had the turn
    band_ = taken_from;
    left_ = TurnOf(band_);
  }
  left_ -= images;
  if (left_ <= 0) {
    band_ = Other(band_);
    left_ = TurnOf(band_);
  }

  Band& band = bands_[taken_from];
  const Round::iterator line = band.round.begin();
  assert(line->jobs.front() == job);
  Discount(*line, &band);
  job->started = true;
  job->queued -= images;
  line->images -= images;
  if (job->queued == 0) line->jobs.pop_front();
  if (line->jobs.empty()) return Leave(line, &band);
  Count(*line, &band);
  band.left -= images;
  if (band.left > 0) return;
  band.round.splice(band.round.end(), band.round, line);
  band.left = turn_;
}

void FairOrder::Remove(Waiting* job) {
  Band& band = bands_[IndexOf(*job)];
  const Round::iterator line = band.lines.find(job->origin.caller)->second;
  Discount(*line, &band);
  line->images -= job->queued;
  job->queued = 0;
  line->jobs.erase(job->place);
  if (line->jobs.empty()) return Leave(line, &band);
  Count(*line, &band);
}

int FairOrder::ImagesBefore(const Waiting& newcomer) const {
  const std::size_t index = IndexOf(newcomer);
  const Band& band = bands_[index];
  const std::int64_t own = band.ImagesOf(newcomer.origin.caller);
  const std::int64_t turns = TurnsFor(own + newcomer.queued, turn_);
  const std::int64_t of_others = band.one_turn - std::min<std::int64_t>(own, turn_);
  std::int64_t before = own + std::min(band.images - own, turns * of_others);
  const std::int64_t turns_of_band = TurnsFor(before + newcomer.queued, TurnOf(index));
  const Band& other = bands_[Other(index)];
  before += std::min<std::int64_t>(other.images, turns_of_band * TurnOf(Other(index)));
  return static_cast<int>(before);
}

Waiting* FairOrder::ToDisplace(const Waiting& newcomer, int excess) const {
  const std::size_t index = IndexOf(newcomer);
  const bool exceeds = bands_[index].images + newcomer.queued > RoomOf(index);
  const Band& band = bands_[exceeds ? index : Other(index)];
  if (band.images == 0) return nullptr;
  const auto [fresh, longest] = *band.by_fresh.rbegin();
  if (fresh == 0) return nullptr;
  const int own = bands_[index].ImagesOf(newcomer.origin.caller);
  if (exceeds && own + newcomer.queued > fresh - excess) return nullptr;
  return longest->jobs.back();
}

void FairOrder::Count(Line& line, Band* band) const {
  band->images += line.images;
  band->one_turn += std::min(line.images, turn_);
  band->by_fresh.emplace(line.fresh(), &line);
}

void FairOrder::Discount(Line& line, Band* band) const {
  band->images -= line.images;
  band->one_turn -= std::min(line.images, turn_);
  band->by_fresh.erase({line.fresh(), &line});
}

void FairOrder::Leave(Round::iterator line, Band* band) const {
  if (line == band->round.begin()) band->left = turn_;
  band->lines.erase(line->caller);
  band->round.erase(line);
}

}  // namespace hellocnn::server
