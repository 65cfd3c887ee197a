using System.Net;
using System.Net.Http.Headers;
using OpenPlatform.Contracts;
using OpenPlatform.Contracts.Snapshots.Shards;
using OpenPlatform.Contracts.Usage;

namespace OpenPlatform.Gateway.Snapshots;

/// <summary>The gateway's calls to the catalog's internal API.</summary>
/// <param name="gateway">The instance id of this one.</param>
internal sealed class CatalogClient(HttpClient http, string gateway)
{
    private EntityTagHeaderValue? _seen;

    /// <summary>The active snapshot in wire form, or null when it is the one that was fetched last.</summary>
    /// <exception cref="HttpRequestException">The catalog is away or refuses.</exception>
    public async Task<byte[]?> FetchSnapshotAsync(CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, InternalApi.SnapshotPath);
        if (_seen is not null)
        {
            request.Headers.IfNoneMatch.Add(_seen);
        }

        using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        if (response.StatusCode == HttpStatusCode.NotModified)
        {
            return null;
        }

        response.EnsureSuccessStatusCode();
        var json = await response.Content.ReadAsByteArrayAsync(cancellationToken);

        // Remembered even if it turns out to be bad: a refused snapshot is asked for again only when the catalog has another.
        _seen = response.Headers.ETag;
        return json;
    }

    /// <summary>The stream of shards, begun; null when this catalog has none yet.</summary>
    /// <param name="have">Name → hash of what need not be sent.</param>
    /// <exception cref="HttpRequestException">The catalog is away or refuses.</exception>
    public async Task<HttpResponseMessage?> FollowAsync(IReadOnlyDictionary<string, string> have, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, InternalApi.ConfigPath)
        {
            Content = JsonContent.Create(new(gateway, have), ConfigJson.Default.ConfigHave),
        };
        var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        if (response.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.MethodNotAllowed)
        {
            response.Dispose();
            return null;
        }

        try
        {
            return response.EnsureSuccessStatusCode();
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    /// <summary>The number of the active revision.</summary>
    /// <exception cref="HttpRequestException">The catalog is away or refuses.</exception>
    public async Task<long> RevisionAsync(CancellationToken cancellationToken) =>
        long.Parse(await http.GetStringAsync(InternalApi.ConfigPath, cancellationToken), System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>Tells the catalog what this gateway runs.</summary>
    /// <exception cref="HttpRequestException">The catalog is away or refuses.</exception>
    public async Task AcknowledgeAsync(ConfigAck ack, CancellationToken cancellationToken)
    {
        using var content = JsonContent.Create(ack, ConfigJson.Default.ConfigAck);
        using var response = await http.PostAsync(InternalApi.AckPath, content, cancellationToken);
        response.EnsureSuccessStatusCode();
    }

    /// <summary>Tells the catalog which instances this gateway knows.</summary>
    /// <param name="report">An <see cref="InstanceReport"/> in wire form.</param>
    /// <exception cref="HttpRequestException">The catalog is away or refuses.</exception>
    public async Task ReportInstancesAsync(byte[] report, CancellationToken cancellationToken)
    {
        using var content = new ByteArrayContent(report) { Headers = { ContentType = new("application/json") } };
        using var response = await http.PostAsync(InternalApi.InstancesPath, content, cancellationToken);
        response.EnsureSuccessStatusCode();
    }

    /// <summary>Posts a batch; returns when the catalog has it, now or from an earlier try.</summary>
    /// <exception cref="HttpRequestException">The catalog is away or refuses.</exception>
    public async Task PostUsageAsync(UsageBatch batch, CancellationToken cancellationToken)
    {
        using var content = JsonContent.Create(batch, UsageJson.Default.UsageBatch);
        using var response = await http.PostAsync(InternalApi.UsagePath, content, cancellationToken);
        response.EnsureSuccessStatusCode();
    }

    /// <exception cref="HttpRequestException">The catalog is away or refuses.</exception>
    public async Task PostCredentialUsesAsync(CredentialUseReport report, CancellationToken cancellationToken)
    {
        using var content = JsonContent.Create(report, CredentialUseJson.Default.CredentialUseReport);
        using var response = await http.PostAsync(InternalApi.CredentialUsesPath, content, cancellationToken);
        response.EnsureSuccessStatusCode();
    }

    /// <summary>What the catalog has been told of each window, in their order.</summary>
    /// <exception cref="HttpRequestException">The catalog is away or refuses.</exception>
    /// <exception cref="System.Text.Json.JsonException">It answers something else.</exception>
    public async Task<IReadOnlyList<long>> GetUsedUnitsAsync(IReadOnlyList<QuotaWindow> windows, CancellationToken cancellationToken)
    {
        using var content = JsonContent.Create(new UsedUnitsRequest(windows), UsedUnitsJson.Default.UsedUnitsRequest);
        using var response = await http.PostAsync(InternalApi.UsedUnitsPath, content, cancellationToken);
        response.EnsureSuccessStatusCode();
        var used = await response.Content.ReadFromJsonAsync(UsedUnitsJson.Default.UsedUnits, cancellationToken);
        return used?.Units.Count == windows.Count ? used.Units : throw new System.Text.Json.JsonException("The answer is not one number for each window.");
    }
}
