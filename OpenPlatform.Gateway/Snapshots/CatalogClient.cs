using System.Net;
using System.Net.Http.Headers;
using OpenPlatform.Contracts;
using OpenPlatform.Contracts.Usage;

namespace OpenPlatform.Gateway.Snapshots;

/// <summary>The gateway's calls to the catalog's internal API.</summary>
internal sealed class CatalogClient(HttpClient http)
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

    /// <summary>Posts a batch; returns when the catalog has it, now or from an earlier try.</summary>
    /// <exception cref="HttpRequestException">The catalog is away or refuses.</exception>
    public async Task PostUsageAsync(UsageBatch batch, CancellationToken cancellationToken)
    {
        using var content = JsonContent.Create(batch, UsageJson.Default.UsageBatch);
        using var response = await http.PostAsync(InternalApi.UsagePath, content, cancellationToken);
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
