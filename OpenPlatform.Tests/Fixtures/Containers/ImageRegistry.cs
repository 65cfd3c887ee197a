using System.Diagnostics;
using System.Formats.Tar;
using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace OpenPlatform.Tests.Fixtures.Containers;

/// <summary>A registry of images on the loopback, empty at the start.</summary>
internal sealed class ImageRegistry : IAsyncDisposable
{
    private const string Index = "application/vnd.oci.image.index.v1+json", Manifest = "application/vnd.oci.image.manifest.v1+json";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("openplatform-registry-");
    private readonly int _port = FreePort.Next();
    private readonly Process _process;
    private readonly HttpClient _http;

    /// <summary>As it stands in the name of an image.</summary>
    public string Host => $"localhost:{_port}";

    private ImageRegistry()
    {
        var configuration = Path.Combine(_folder.FullName, "config.yml");
        File.WriteAllText(configuration, $"""
            version: 0.1
            log: {"{"} level: error {"}"}
            storage: {"{"} filesystem: {"{"} rootdirectory: {_folder.FullName}/data {"}"} {"}"}
            http: {"{"} addr: "127.0.0.1:{_port}" {"}"}
            """);
        _http = new HttpClient { BaseAddress = new($"http://127.0.0.1:{_port}") };
        _process = Process.Start(new ProcessStartInfo("/usr/bin/docker-registry", ["serve", configuration]) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true })!;
        _process.OutputDataReceived += static (_, _) => { };
        _process.ErrorDataReceived += static (_, _) => { };
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>Skips the test where the program is not installed.</summary>
    public static async Task<ImageRegistry> StartAsync()
    {
        if (!File.Exists("/usr/bin/docker-registry"))
        {
            Assert.False(Environment.GetEnvironmentVariable("CI") == "true", "docker-registry is not installed.");
            Assert.Skip("docker-registry is not installed. Debian, Ubuntu: apt-get install docker-registry");
        }

        var registry = new ImageRegistry();
        await Eventually.TrueAsync(async () =>
        {
            try
            {
                return (await registry._http.GetAsync("/v2/")).StatusCode == HttpStatusCode.OK;
            }
            catch (HttpRequestException)
            {
                return false;
            }
        });
        return registry;
    }

    /// <summary>A base for two processors that holds a user and nothing that runs: enough to build on.</summary>
    /// <returns>Its name.</returns>
    public async Task<string> PushBaseAsync()
    {
        const string Repository = "dotnet/aspnet";
        using var tar = new MemoryStream();
        using (var writer = new TarWriter(tar, leaveOpen: true))
        {
            await writer.WriteEntryAsync(new PaxTarEntry(TarEntryType.RegularFile, "etc/passwd") { DataStream = new MemoryStream("app:x:1654:1654::/home/app:/bin/false\n"u8.ToArray()) });
        }

        using var zipped = new MemoryStream();
        using (var gzip = new GZipStream(zipped, CompressionLevel.Fastest, leaveOpen: true))
        {
            gzip.Write(tar.ToArray());
        }

        var layer = await PushBlobAsync(Repository, zipped.ToArray());
        var images = new JsonArray();
        foreach (var processor in new[] { "amd64", "arm64" })
        {
            var config = Bytes(new JsonObject
            {
                ["architecture"] = processor, ["os"] = "linux",
                ["config"] = new JsonObject { ["Env"] = new JsonArray("APP_UID=1654", "ASPNETCORE_HTTP_PORTS=8080") },
                ["rootfs"] = new JsonObject { ["type"] = "layers", ["diff_ids"] = new JsonArray(Digest(tar.ToArray())) },
                ["history"] = new JsonArray(new JsonObject { ["created"] = "2026-01-01T00:00:00Z" }),
            });
            var manifest = Bytes(new JsonObject
            {
                ["schemaVersion"] = 2, ["mediaType"] = Manifest,
                ["config"] = new JsonObject { ["mediaType"] = "application/vnd.oci.image.config.v1+json", ["digest"] = await PushBlobAsync(Repository, config), ["size"] = config.Length },
                ["layers"] = new JsonArray(new JsonObject { ["mediaType"] = "application/vnd.oci.image.layer.v1.tar+gzip", ["digest"] = layer, ["size"] = zipped.Length }),
            });
            await PutManifestAsync(Repository, Digest(manifest), Manifest, manifest);
            images.Add(new JsonObject
            {
                ["mediaType"] = Manifest, ["digest"] = Digest(manifest), ["size"] = manifest.Length,
                ["platform"] = new JsonObject { ["architecture"] = processor, ["os"] = "linux" },
            });
        }

        await PutManifestAsync(Repository, "10.0", Index, Bytes(new JsonObject { ["schemaVersion"] = 2, ["mediaType"] = Index, ["manifests"] = images }));
        return $"{Host}/{Repository}:10.0";
    }

    /// <summary>An index or a manifest.</summary>
    public async Task<JsonNode> ManifestAsync(string repository, string reference)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/v2/{repository}/manifests/{reference}");
        foreach (var type in new[] { Index, Manifest, "application/vnd.docker.distribution.manifest.v2+json", "application/vnd.docker.distribution.manifest.list.v2+json" })
        {
            request.Headers.Accept.Add(new(type));
        }

        using var response = await _http.SendAsync(request);
        return JsonNode.Parse(await response.EnsureSuccessStatusCode().Content.ReadAsStringAsync())!;
    }

    public Task<byte[]> BlobAsync(string repository, string digest) => _http.GetByteArrayAsync($"/v2/{repository}/blobs/{digest}");

    /// <summary>The files of a layer, by path.</summary>
    public async Task<IReadOnlyDictionary<string, byte[]>> FilesAsync(string repository, string digest)
    {
        var files = new Dictionary<string, byte[]>();
        await using var zipped = new GZipStream(new MemoryStream(await BlobAsync(repository, digest)), CompressionMode.Decompress);
        await using var reader = new TarReader(zipped);
        while (await reader.GetNextEntryAsync() is { } entry)
        {
            if (entry.DataStream is { } content)
            {
                using var bytes = new MemoryStream();
                await content.CopyToAsync(bytes);
                files["/" + entry.Name.TrimStart('/')] = bytes.ToArray();
            }
        }

        return files;
    }

    public async ValueTask DisposeAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        _http.Dispose();
        _folder.Delete(recursive: true);
    }

    private async Task<string> PushBlobAsync(string repository, byte[] content)
    {
        using var begun = await _http.PostAsync($"/v2/{repository}/blobs/uploads/", null);
        var place = begun.EnsureSuccessStatusCode().Headers.Location!;
        using var body = new ByteArrayContent(content) { Headers = { ContentType = new("application/octet-stream") } };
        using var put = await _http.PutAsync($"{place.PathAndQuery}&digest={Digest(content)}", body);
        put.EnsureSuccessStatusCode();
        return Digest(content);
    }

    private async Task PutManifestAsync(string repository, string reference, string type, byte[] content)
    {
        using var body = new ByteArrayContent(content) { Headers = { ContentType = new MediaTypeHeaderValue(type) } };
        using var put = await _http.PutAsync($"/v2/{repository}/manifests/{reference}", body);
        put.EnsureSuccessStatusCode();
    }

    private static byte[] Bytes(JsonObject node) => Encoding.UTF8.GetBytes(node.ToJsonString());

    private static string Digest(byte[] content) => $"sha256:{Convert.ToHexStringLower(SHA256.HashData(content))}";
}
