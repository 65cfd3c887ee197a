using System.Globalization;
using System.Text.Json;
using Npgsql;

namespace OpenPlatform.Catalog.Audit;

/// <summary>
/// <c>--verify-audit [sequence:sha256]</c>: follows the whole chain, prints the verdict as the admin API does, and ends. For whoever checks with the
/// database alone, from a copy of it, or by the clock.
/// </summary>
internal static class VerifyAuditCommand
{
    private const string Switch = "--verify-audit";

    public static bool IsAsked(string[] args) => args.Contains(Switch);

    /// <returns>The exit code: 0 the chain is whole, 1 it is broken, 2 it could not be read or the anchor is none.</returns>
    public static async Task<int> RunAsync(string[] args, IServiceProvider services, TextWriter output, TextWriter errors, CancellationToken cancellationToken = default)
    {
        AuditAnchor? anchor = null;
        if (args.SkipWhile(static arg => arg != Switch).ElementAtOrDefault(1) is { } given && (anchor = AnchorOrNull(given)) is null)
        {
            await errors.WriteLineAsync($"{Switch} takes the sequence and the sha256 of an entry, such as 812:jJ1w…=; is: {given}");
            return 2;
        }

        try
        {
            var verdict = await services.GetRequiredService<AuditStore>().VerifyAsync(anchor, cancellationToken);
            await output.WriteLineAsync(JsonSerializer.Serialize(verdict, JsonSerializerOptions.Web));
            return verdict.IsWhole ? 0 : 1;
        }
        catch (Exception away) when (away is NpgsqlException or TimeoutException or System.Net.Sockets.SocketException)
        {
            await errors.WriteLineAsync($"The audit cannot be read: {away.Message}");
            return 2;
        }
    }

    private static AuditAnchor? AnchorOrNull(string text)
    {
        var hash = new byte[System.Security.Cryptography.SHA256.HashSizeInBytes];
        return text.Split(':') is [var sequence, var sha256] && long.TryParse(sequence, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0
            && Convert.TryFromBase64String(sha256, hash, out var written) && written == hash.Length
            ? new(number, hash)
            : null;
    }
}
