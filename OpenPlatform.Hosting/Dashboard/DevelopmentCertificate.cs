using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Aspire.Hosting;

namespace OpenPlatform.Hosting.Dashboard;

/// <summary>The ASP.NET Core development certificate of this user, for https addresses of the dashboard.</summary>
internal static class DevelopmentCertificate
{
    // dotnet dev-certs marks its certificates by this extension; its first byte is the version.
    private const string Marker = "1.3.6.1.4.1.311.84.1.1";

    /// <summary>Writes it, with its key, to a file that only this user can read.</summary>
    /// <param name="neededBy">The address that needs it, for the error.</param>
    /// <returns>The file (PKCS #12) and its random password.</returns>
    /// <exception cref="DistributedApplicationException">There is none, or none that is valid now.</exception>
    internal static (string Path, string Password) Export(string folder, string neededBy, DateTimeOffset now)
    {
        using var store = new X509Store(StoreName.My, StoreLocation.CurrentUser);
        store.Open(OpenFlags.ReadOnly);
        var certificate = store.Certificates
            .Where(c => c.HasPrivateKey && c.NotBefore.ToUniversalTime() <= now.UtcDateTime && now.UtcDateTime <= c.NotAfter.ToUniversalTime() && Version(c) is not null)
            .OrderByDescending(Version).ThenByDescending(c => c.NotAfter)
            .FirstOrDefault() ?? throw new DistributedApplicationException(
                $"The dashboard address {neededBy} needs the ASP.NET Core development certificate, and this user has none that is valid. " +
                $"Create and trust one with 'dotnet dev-certs https --trust', or use an address without TLS: ASPNETCORE_URLS={DashboardSettings.DefaultUrl}");

        var path = Path.Combine(folder, "dashboard.pfx");
        var password = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }
        using var file = new FileStream(path, options);
        file.Write(certificate.Export(X509ContentType.Pfx, password));
        return (path, password);
    }

    private static int? Version(X509Certificate2 certificate) =>
        certificate.Extensions.FirstOrDefault(e => e.Oid?.Value == Marker)?.RawData is { } data ? data.Length > 0 ? data[0] : 0 : null;
}
