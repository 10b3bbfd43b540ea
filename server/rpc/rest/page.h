// The page on which a digit can be drawn, as files in server/rpc/rest/page/ that CMake links in.
#ifndef HELLOCNN_SERVER_RPC_REST_PAGE_H_
#define HELLOCNN_SERVER_RPC_REST_PAGE_H_

#include <string_view>

namespace hellocnn::server {

extern const std::string_view kDrawHtml;
extern const std::string_view kDrawCss;
extern const std::string_view kDrawJs;

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_REST_PAGE_H_
