#include "server/rpc/rest/message_json.h"

#include <google/protobuf/descriptor.h>

#include <string>

#include "absl/strings/escaping.h"

namespace hellocnn::server {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Reflection;
using Json = nlohmann::ordered_json;

// Returns the value of a field, or one of them if `index` is not negative.
Json ValueOf(const google::protobuf::Message& message, const FieldDescriptor& field, int index) {
  const Reflection& has = *message.GetReflection();
  const auto get = [&](auto single, auto repeated) {
    return Json(index < 0 ? (has.*single)(message, &field)
                          : (has.*repeated)(message, &field, index));
  };
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return get(&Reflection::GetInt32, &Reflection::GetRepeatedInt32);
    case FieldDescriptor::CPPTYPE_INT64:
      return get(&Reflection::GetInt64, &Reflection::GetRepeatedInt64);
    case FieldDescriptor::CPPTYPE_UINT32:
      return get(&Reflection::GetUInt32, &Reflection::GetRepeatedUInt32);
    case FieldDescriptor::CPPTYPE_UINT64:
      return get(&Reflection::GetUInt64, &Reflection::GetRepeatedUInt64);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return get(&Reflection::GetDouble, &Reflection::GetRepeatedDouble);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return get(&Reflection::GetFloat, &Reflection::GetRepeatedFloat);
    case FieldDescriptor::CPPTYPE_BOOL:
      return get(&Reflection::GetBool, &Reflection::GetRepeatedBool);
    case FieldDescriptor::CPPTYPE_ENUM:
      return index < 0 ? has.GetEnum(message, &field)->name()
                       : has.GetRepeatedEnum(message, &field, index)->name();
    case FieldDescriptor::CPPTYPE_STRING: {
      const std::string text = index < 0 ? has.GetString(message, &field)
                                         : has.GetRepeatedString(message, &field, index);
      return field.type() == FieldDescriptor::TYPE_BYTES ? absl::Base64Escape(text) : text;
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return ToJson(index < 0 ? has.GetMessage(message, &field)
                              : has.GetRepeatedMessage(message, &field, index));
  }
  return nullptr;
}

Json MapOf(const google::protobuf::Message& message, const FieldDescriptor& field) {
  Json map = Json::object();
  const Reflection& has = *message.GetReflection();
  for (int i = 0; i < has.FieldSize(message, &field); ++i) {
    const google::protobuf::Message& entry = has.GetRepeatedMessage(message, &field, i);
    const google::protobuf::Descriptor& type = *entry.GetDescriptor();
    const Json key = ValueOf(entry, *type.map_key(), -1);
    map[key.is_string() ? key.get<std::string>() : key.dump()] =
        ValueOf(entry, *type.map_value(), -1);
  }
  return map;
}

}  // namespace

Json ToJson(const google::protobuf::Message& message) {
  Json json = Json::object();
  const google::protobuf::Descriptor& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (field.is_map()) {
      json[field.name()] = MapOf(message, field);
    } else if (field.is_repeated()) {
      Json list = Json::array();
      for (int at = 0; at < message.GetReflection()->FieldSize(message, &field); ++at) {
        list.push_back(ValueOf(message, field, at));
      }
      json[field.name()] = std::move(list);
    } else if (!field.has_presence() || message.GetReflection()->HasField(message, &field)) {
      json[field.name()] = ValueOf(message, field, -1);
    }
  }
  return json;
}

}  // namespace hellocnn::server
