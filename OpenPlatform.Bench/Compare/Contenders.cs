using System.Text;

namespace OpenPlatform.Bench.Compare;

/// <summary>A proxy in the comparison.</summary>
/// <param name="Name">As the table says it.</param>
/// <param name="Needs">Program or file without which it is left out.</param>
/// <param name="StartAsync">Starts it in front of the upstream.</param>
internal sealed record Contender(string Name, string? Needs, Func<Bench, Task<ServerProcess>> StartAsync)
{
    public bool IsHere => Needs is null || File.Exists(Needs);
}

/// <summary>What all contenders share: two upstream ports, a Redis, a key, a folder for their files.</summary>
internal sealed record Bench(string Folder, int[] Upstreams, int Redis, string Key, GatewayPlane Plane)
{
    public const string Gateway = "OpenPlatform gateway, every policy on";
    public const string Reference = "plain YARP 2.1";
    public const string NginxLua = "nginx + Lua: key, Redis-counted limit";

    private const string Modules = "/usr/lib/nginx/modules", LuaModule = Modules + "/ngx_http_lua_module.so";

    public static IReadOnlyList<Contender> Contenders { get; } =
    [
        new(Reference, null, static async bench =>
        {
            var port = ServerProcess.FreePort();
            return await ServerProcess.StartAsync(port, "dotnet",
                [typeof(Bench).Assembly.Location, PlainYarp.Command, $"http://127.0.0.1:{port}", .. bench.Upstreams.Select(static p => $"http://127.0.0.1:{p}")]);
        }),
        new(Gateway, null, static bench => bench.Plane.StartGatewayAsync()),
        new("nginx, plain proxy", "/usr/sbin/nginx", static bench => bench.NginxAsync("plain", "", "proxy_pass http://upstream;")),
        new(NginxLua, LuaModule, static bench => bench.NginxAsync("lua", "lua_shared_dict keys 1m; init_by_lua_block { ngx.shared.keys:set('" + bench.Key + "', 'application') }", $$"""
            access_by_lua_block {
              local application = ngx.shared.keys:get(ngx.var.http_x_api_key or '')
              if not application then return ngx.exit(401) end
              local redis = require('nginx.redis'):new()
              redis:set_timeout(1000)
              if not redis:connect('127.0.0.1', {{bench.Redis}}) then return ngx.exit(503) end
              local window = 'limit:' .. application .. ':' .. math.floor(ngx.time() / 60)
              local count = redis:incr(window)
              if count == 1 then redis:expire(window, 120) end
              redis:set_keepalive(10000, 100)
              if count > 1000000000 then return ngx.exit(429) end
            }
            proxy_pass http://upstream;
            """)),
        new("haproxy, plain proxy", "/usr/sbin/haproxy", static async bench =>
        {
            var port = ServerProcess.FreePort();
            var file = bench.Write("haproxy.cfg", $$"""
                global
                  nbthread 1
                defaults
                  mode http
                  timeout connect 5s
                  timeout client 60s
                  timeout server 60s
                frontend in
                  bind 127.0.0.1:{{port}}
                  default_backend up
                backend up
                {{string.Join('\n', bench.Upstreams.Select(static (p, i) => $"  server s{i} 127.0.0.1:{p}"))}}

                """);
            return await ServerProcess.StartAsync(port, "haproxy", ["-db", "-f", file]);
        }),
        new("caddy, plain proxy", "/usr/bin/caddy", static async bench =>
        {
            var port = ServerProcess.FreePort();
            var file = bench.Write("Caddyfile", $$"""
                {
                  admin off
                  auto_https off
                }
                http://127.0.0.1:{{port}} {
                  reverse_proxy {{string.Join(' ', bench.Upstreams.Select(static p => $"127.0.0.1:{p}"))}}
                }

                """);
            return await ServerProcess.StartAsync(port, "caddy", ["run", "--adapter", "caddyfile", "--config", file], ("HOME", bench.Folder), ("XDG_DATA_HOME", bench.Folder), ("XDG_CONFIG_HOME", bench.Folder));
        }),
    ];

    /// <summary>The gateway with one thing less each: what that thing costs.</summary>
    public static IReadOnlyList<Contender> Variants { get; } =
    [
        new("gateway without metrics", null, static bench => bench.Plane.StartGatewayAsync(("OTEL_EXPORTER_OTLP_ENDPOINT", ""))),
        new("gateway without access log and decisions", null, static bench => bench.Plane.StartGatewayAsync(
            ("OpenPlatform__Gateway__Observability__AccessLog", "None"), ("OpenPlatform__Gateway__Observability__DecisionEvery", "0"))),
        new("gateway without Redis", null, static bench => bench.Plane.StartGatewayAsync(("ConnectionStrings__redis", ""))),
        new("gateway without inline scheduling", null, static bench => bench.Plane.StartGatewayAsync(("OpenPlatform__Gateway__InlineScheduling", "false"))),
    ];

    /// <summary>The gateway with other settings, or another build of it: <c>name|NAME=value|NAME=value</c>; <c>build=FOLDER</c> is the build.</summary>
    public static Contender Variant(string text)
    {
        var parts = text.Split('|');
        var settings = parts.Skip(1).Select(static setting => setting.Split('=', 2)).Select(static pair => (Name: pair[0], Value: pair[1])).ToArray();
        var build = settings.FirstOrDefault(static setting => setting.Name == "build").Value;
        return new(parts[0], null, bench => bench.Plane.StartGatewayAsync(build, [.. settings.Where(static setting => setting.Name != "build")]));
    }

    /// <summary>nginx that answers 1 KB of JSON on the two upstream ports.</summary>
    public static Task<ServerProcess> UpstreamAsync(string folder, int[] ports)
    {
        var body = new StringBuilder("{\\\"items\\\":[");
        while (body.Length < 1000)
        {
            body.Append("{\\\"id\\\":\\\"ord_000001\\\",\\\"total\\\":12.4},");
        }

        return RunNginxAsync(folder, "upstream", ports[0], "", string.Concat(ports.Select(port => $$"""
            server {
              listen 127.0.0.1:{{port}} reuseport;
              location / { default_type application/json; return 200 "{{body}}{}]}"; }
            }
            """)));
    }

    private Task<ServerProcess> NginxAsync(string name, string head, string location)
    {
        var port = ServerProcess.FreePort();
        return RunNginxAsync(Folder, name, port, head, $$"""
            upstream upstream { {{string.Concat(Upstreams.Select(static p => $"server 127.0.0.1:{p}; "))}} keepalive 128; }
            server {
              listen 127.0.0.1:{{port}};
              location / { proxy_http_version 1.1; proxy_set_header Connection ""; {{location}} }
            }
            """);
    }

    private static Task<ServerProcess> RunNginxAsync(string folder, string name, int port, string head, string servers)
    {
        var prefix = Directory.CreateDirectory(Path.Combine(folder, name)).FullName;
        var modules = head.Contains("lua", StringComparison.Ordinal) ? $"load_module {Modules}/ndk_http_module.so; load_module {LuaModule};" : "";
        var file = Path.Combine(prefix, "nginx.conf");
        File.WriteAllText(file, $$"""
            {{modules}}
            daemon off;
            worker_processes 1;
            pid {{prefix}}/nginx.pid;
            error_log stderr warn;
            events { worker_connections 4096; }
            http {
              access_log off;
              keepalive_requests 100000000;
              client_body_temp_path {{prefix}}/body; proxy_temp_path {{prefix}}/proxy; fastcgi_temp_path {{prefix}}/f; uwsgi_temp_path {{prefix}}/u; scgi_temp_path {{prefix}}/s;
              {{head}}
              {{servers}}
            }
            """);
        return ServerProcess.StartAsync(port, "nginx", ["-p", prefix, "-c", file]);
    }

    private string Write(string name, string content)
    {
        var path = Path.Combine(Folder, name);
        File.WriteAllText(path, content);
        return path;
    }
}
