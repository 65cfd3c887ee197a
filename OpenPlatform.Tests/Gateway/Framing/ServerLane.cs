using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Framing;

/// <summary>
/// One server that nobody here wrote, as a backend of the gateway, and behind it a recorder: what the server passes on is what it
/// has understood.
/// </summary>
internal sealed class ServerLane : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("openplatform-lane-").FullName;
    private TestBackend _recorder = null!;
    private Process? _process;

    private ServerLane(string name) => Name = name;

    public string Name { get; }

    public string BasePath => "/" + Name;

    /// <summary>Where the gateway sends requests.</summary>
    public Uri Address { get; private set; } = null!;

    /// <summary>Every request that was understood whole: method, target, bytes of body, and what should not have come along.</summary>
    public ConcurrentQueue<string> Understood { get; } = new();

    public static async Task<ServerLane> StartAsync(string name)
    {
        var lane = new ServerLane(name);
        lane._recorder = await TestBackend.StartAsync(lane.RecordAsync);
        lane.Address = lane._recorder.Address;
        if (name != "kestrel")
        {
            var port = FreePort.Next();
            lane._process = Start(lane.Command(port, lane._recorder.Address.Port), lane._folder);
            lane.Address = new($"http://127.0.0.1:{port}");
            await Eventually.TrueAsync(() => AnswersAsync(port), TimeSpan.FromSeconds(30));
        }

        return lane;
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is { } process)
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync();
            process.Dispose();
        }

        await _recorder.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private async Task RecordAsync(HttpContext context)
    {
        long length = 0;
        var buffer = new byte[4096];
        for (int count; (count = await context.Request.Body.ReadAsync(buffer, context.RequestAborted)) > 0;)
        {
            length += count;
        }

        var unwanted = context.Request.Headers
            .Where(static h => h.Value.ToString().Contains("evil", StringComparison.Ordinal) || h.Key.StartsWith("X-T-", StringComparison.OrdinalIgnoreCase)
                || h.Key is "Upgrade" or "Keep-Alive" or "Proxy-Connection" or "Proxy-Authorization" or "HTTP2-Settings")
            .Select(static h => " !" + h.Key);
        Understood.Enqueue($"{context.Request.Method} {context.Features.Get<IHttpRequestFeature>()!.RawTarget} {length}{string.Concat(unwanted)}");
        context.Response.ContentLength = 0;
    }

    private (string Program, string[] Arguments) Command(int port, int recorder) => Name switch
    {
        "nginx" => ("/usr/sbin/nginx", ["-p", _folder, "-c", Write("nginx.conf", $$"""
            daemon off; master_process off; pid {{_folder}}/pid; error_log {{_folder}}/error.log;
            events { worker_connections 256; }
            http {
                access_log off; client_body_temp_path {{_folder}}/body; proxy_temp_path {{_folder}}/proxy;
                fastcgi_temp_path {{_folder}}/fastcgi; uwsgi_temp_path {{_folder}}/uwsgi; scgi_temp_path {{_folder}}/scgi;
                server {
                    listen 127.0.0.1:{{port}};
                    location / { proxy_pass http://127.0.0.1:{{recorder}}; proxy_http_version 1.1; proxy_set_header Connection ""; }
                }
            }
            """)]),
        "haproxy" => ("/usr/sbin/haproxy", ["-db", "-f", Write("haproxy.cfg", $"""
            defaults
                mode http
                timeout connect 5s
                timeout client 20s
                timeout server 20s
            listen lane
                bind 127.0.0.1:{port}
                server recorder 127.0.0.1:{recorder}

            """)]),
        "apache2" => ("/usr/sbin/apache2", ["-DFOREGROUND", "-d", _folder, "-f", Write("apache.conf", $"""
            LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
            LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
            LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
            LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
            ServerName lane
            Listen 127.0.0.1:{port}
            PidFile {_folder}/pid
            DefaultRuntimeDir {_folder}
            ErrorLog {_folder}/error.log
            User nobody
            Group nogroup
            StartServers 1
            KeepAlive On
            MaxKeepAliveRequests 0
            AllowEncodedSlashes NoDecode
            ProxyPass / http://127.0.0.1:{recorder}/ nocanon

            """)]),
        "lighttpd" => ("/usr/sbin/lighttpd", ["-D", "-f", Write("lighttpd.conf", $"""
            server.modules = ("mod_proxy")
            server.bind = "127.0.0.1"
            server.port = {port}
            server.document-root = "{_folder}"
            server.errorlog = "{_folder}/error.log"
            server.upload-dirs = ("{_folder}")
            server.http-parseopts = ("method-get-body" => "enable")
            server.max-keep-alive-requests = 1000000
            proxy.server = ("" => (("host" => "127.0.0.1", "port" => {recorder})))

            """)]),
        "node" => ("node", [Write("lane.js", $$"""
            const http = require('http');
            http.createServer((request, response) => {
                const body = [];
                request.on('data', part => body.push(part)).on('end', () => {
                    const headers = Object.assign({}, request.headers);
                    delete headers['transfer-encoding']; delete headers.connection;
                    if (body.length) headers['content-length'] = Buffer.concat(body).length;
                    http.request({ port: {{recorder}}, host: '127.0.0.1', method: request.method, path: request.url, headers }, answer => {
                        response.writeHead(answer.statusCode, { 'content-length': 0 }); answer.resume(); response.end();
                    }).on('error', () => response.destroy()).end(Buffer.concat(body));
                });
            }).listen({{port}}, '127.0.0.1');
            """)]),
        _ => throw new ArgumentOutOfRangeException(nameof(port), Name),
    };

    private string Write(string name, string text)
    {
        var path = Path.Combine(_folder, name);
        File.WriteAllText(path, text);
        return path;
    }

    private static Process Start((string Program, string[] Arguments) command, string folder)
    {
        var installed = Path.IsPathRooted(command.Program) ? File.Exists(command.Program) : command.Program.OnPath() is not null;
        Assert.SkipUnless(installed || Environment.GetEnvironmentVariable("CI") == "true", $"Debian's {Path.GetFileName(command.Program)} is not installed.");
        var start = new ProcessStartInfo(command.Program, command.Arguments)
        {
            WorkingDirectory = folder, UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        var process = Process.Start(start)!;
        process.OutputDataReceived += static (_, _) => { };
        process.ErrorDataReceived += static (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }

    private static async Task<bool> AnswersAsync(int port)
    {
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(IPAddress.Loopback, port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}

internal static class ProgramPath
{
    /// <summary>Where a command is, or null.</summary>
    public static string? OnPath(this string command) => (Environment.GetEnvironmentVariable("PATH") ?? "")
        .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
        .Select(folder => Path.Combine(folder, command))
        .FirstOrDefault(File.Exists);
}
