using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using OpenPlatform.Hosting;

namespace OpenPlatform.Tests.Hosting.Engine;

/// <summary>A loopback npm registry with one package, for what a real registry does only on its bad days.</summary>
internal sealed class StubRegistry : IAsyncDisposable
{
    private readonly WebApplication _app;
    private int _downloads;

    private StubRegistry(WebApplication app, byte[] tarball)
    {
        _app = app;
        Tarball = tarball;
        Package = new("@stub/engine", "1.2.3", "sha512-" + Convert.ToBase64String(SHA512.HashData(tarball)));
    }

    public NpmPackage Package { get; }
    public byte[] Tarball { get; set; }
    public int Downloads => _downloads;

    /// <summary>Sends so many bytes of the tarball and drops the connection.</summary>
    public int? BreakAfter { get; set; }

    /// <summary>What <c>Authorization</c> must hold for the tarball.</summary>
    public string? Token { get; set; }

    public string Host => new Uri(_app.Urls.Single()).Authority;

    /// <summary>What points npm here.</summary>
    public Dictionary<string, string> NpmSettings(string cacheFolder) => new()
    {
        ["npm_config_registry"] = $"http://{Host}/",
        ["npm_config_fetch_retries"] = "0",
        ["npm_config_cache"] = Path.Combine(cacheFolder, ".npm"),
        ["npm_config_update_notifier"] = "false",
    };

    public static async Task<StubRegistry> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(1));
        var app = builder.Build();
        app.Urls.Add("http://127.0.0.1:0");
        var registry = new StubRegistry(app, PackWithOneFile("package/bin/program", "hello"));
        app.Map("/{**path}", registry.AnswerAsync);
        await app.StartAsync(TestContext.Current.CancellationToken);
        return registry;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task AnswerAsync(HttpContext context)
    {
        if (!context.Request.Path.Value!.EndsWith(".tgz", StringComparison.Ordinal))
        {
            await context.Response.WriteAsJsonAsync(new
            {
                name = Package.Name,
                versions = new Dictionary<string, object>
                {
                    [Package.Version] = new
                    {
                        name = Package.Name,
                        version = Package.Version,
                        dist = new { integrity = "sha512-" + Convert.ToBase64String(SHA512.HashData(Tarball)), tarball = $"http://{Host}/engine-{Package.Version}.tgz" },
                    },
                },
            });
            return;
        }

        if (Token is not null && context.Request.Headers.Authorization != $"Bearer {Token}")
        {
            context.Response.StatusCode = StatusCodes.Status401Unauthorized;
            return;
        }

        Interlocked.Increment(ref _downloads);
        context.Response.ContentLength = Tarball.Length;
        await context.Response.Body.WriteAsync(Tarball.AsMemory(0, BreakAfter ?? Tarball.Length));
        await context.Response.Body.FlushAsync();
        if (BreakAfter is not null)
        {
            context.Abort();
        }
    }

    private static byte[] PackWithOneFile(string name, string text)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionMode.Compress))
        using (var tar = new TarWriter(gzip))
        {
            tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(Encoding.UTF8.GetBytes(text)) });
        }

        return packed.ToArray();
    }
}
